"""Claims about a method, judged from stored results: what is shown, what is not, and what is refuted."""
