"""
The tests, laid out like the package they hold to account.
"""
