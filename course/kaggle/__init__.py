"""Lessons on Kaggle's machines: push them, ask how they are, fetch and check what they did.

``account`` signs in, ``folders``, ``wheel`` and ``files`` write what is pushed, ``kernels`` talks,
``recording`` works in the kernel there. Importing any of them does not import the kaggle package,
which signs in at once.
"""
