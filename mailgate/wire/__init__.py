"""
Pure grammar of the protocols: bytes in, values out, no input or output of its own.
"""
