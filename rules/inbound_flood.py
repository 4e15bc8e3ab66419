"""How much mail in ten minutes is still people writing (integrity L-9); what is beyond starts no rule and no notice. Pure."""

FROM_ONE_SENDER = 100
INTO_ONE_INBOX = 1000
