"""Signing in at Google and Microsoft by OAuth 2.0: where people agree, and how tokens are got and renewed."""
