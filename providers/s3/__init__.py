"""S3-compatible object storage: raw mail, attachments and the links by which browsers reach them."""
