"""
The resolver: it asks the DNS servers of this machine, and remembers what they say.
"""
