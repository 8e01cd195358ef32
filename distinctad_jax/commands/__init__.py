"""One file per command of `distinctad`: what it takes, and what it does. The work itself is done in other rooms."""
