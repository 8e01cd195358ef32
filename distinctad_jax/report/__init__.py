"""Results to pages and pictures that a person can look at.

pictures.py draws: values in, PNG bytes out. page.py puts words, tables, figures and example strips on one
self-contained HTML page, laid out by page.html.j2 and page.css.j2. Neither knows where the numbers come from.
"""
