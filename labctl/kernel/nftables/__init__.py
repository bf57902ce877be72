"""nftables over nfnetlink: tables, their rules in the words of nft(8), and which of them a packet met.

What a file asks for in the language of nft(8) is read by that program alone; all else needs none.
"""
