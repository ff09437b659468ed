"""
Tests of mailgate.wire.
"""
