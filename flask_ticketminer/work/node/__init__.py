"""Work from a coin's own node: getblocktemplate (BIP 22, BIP 23), and blocks to it by submitblock."""
