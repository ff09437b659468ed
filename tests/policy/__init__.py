"""
Tests of mailgate.policy.
"""
