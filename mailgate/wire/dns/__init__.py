"""
The DNS as far as a mail gateway asks it: names, records, answers and messages, without I/O.
"""
