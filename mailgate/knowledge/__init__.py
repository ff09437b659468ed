"""
What is known here of senders and recipients, beyond the message at hand.
"""
