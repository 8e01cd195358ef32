"""Results to pages and pictures that a person can look at.

pictures.py draws results, values in, PNG bytes out; inside.py draws what goes on inside the models, and says it in
words too. page.py puts words, tables, figures and example strips on one self-contained HTML page, laid out by
page.html.j2 and page.css.j2. None knows where the numbers come from.
"""
