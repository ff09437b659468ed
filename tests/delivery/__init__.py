"""
Tests of mailgate.delivery.
"""
