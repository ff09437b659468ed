"""
Judging: the order of the checks and what they see.
"""
