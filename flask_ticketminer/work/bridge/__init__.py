"""``flask ticketminer bridge``: the one long-lived process, which talks to pools and nodes for all processes of a site."""
