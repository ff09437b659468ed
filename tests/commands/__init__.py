"""
Tests of L{mailgate.commands}.
"""
