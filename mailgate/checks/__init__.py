"""
The checks: one file for each kind of evidence, and the table of them.
"""
