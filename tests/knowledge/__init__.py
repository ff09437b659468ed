"""
Tests of L{mailgate.knowledge}.
"""
