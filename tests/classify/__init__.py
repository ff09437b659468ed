"""
Tests of L{mailgate.classify}.
"""
