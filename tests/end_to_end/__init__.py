"""
Tests of the whole, in one process or several.
"""
