"""
The commands of C{mailgate}: one module for each family, which adds its own parsers.
"""
