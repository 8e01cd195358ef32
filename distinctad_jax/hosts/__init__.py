"""Several processes at one task: which of them this is, how they meet, agree, and notice that one is gone."""
