"""nftables over nfnetlink: tables, their rules in the words of nft(8), and which of them a packet met.

labctl makes no table for a lab, so each one is another's.
"""
