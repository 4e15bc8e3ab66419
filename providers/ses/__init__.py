"""Amazon SES v2 and the SNS topics that report about it: sending, and believing what comes to our webhook."""
