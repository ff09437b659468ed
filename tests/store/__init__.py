"""
Tests of mailgate.store.
"""
