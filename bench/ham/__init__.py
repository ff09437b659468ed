"""
What modern legitimate mail is made of: texts, senders, the programs that write and sign it.
"""
