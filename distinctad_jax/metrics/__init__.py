"""Sentences and references to numbers, one metric a file; NumPy and plain Python only.

tokenise.py turns a description into the words that caption scores count, ngrams.py counts them. cider.py, rouge.py
and bleu.py compare a prediction with its reference. recall.py asks whether a prediction finds its own reference among
its neighbours, by a similarity of similarity.py. distinctiveness.py and repetition.py look at a description among its
neighbours (neighbours.py), variety.py at all of them. characters.py, pace.py and coverage.py look at people and time;
llm_ad_eval.py and action_score.py ask judges (judges.py), meteor.py and spice.py programs in Java (java.py).
baselines.py makes predictions that see no movie. scores.py runs them on the rows of a benchmark (corpus.py); tally.py
and statistics.py say how sure they are.
"""
