"""
Tests of mailgate.rewrite.
"""
