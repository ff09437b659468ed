"""
Looking into files with parsers that others have written: in the sandbox and nowhere else.
"""
