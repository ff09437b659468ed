"""
The database and the files underneath, and the order in which they are made safe.
"""
