"""Notices of non-delivery that follow no standard: one file per family of mail systems, each a function from a
`Notice` to recipient reports. They only read; whether a mail is a notice at all is asked in `mail.bounces_unusual`.
"""
