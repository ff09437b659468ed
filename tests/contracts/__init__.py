"""
Tests of mailgate.contracts.
"""
