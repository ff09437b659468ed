"""
Programs that measure: load, the cost of relaying, and the replay of real mail.

None of them imports mailgate, and all need nothing but Python's standard library.
"""
