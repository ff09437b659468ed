"""
Tests for L{mailgate.people}.
"""
