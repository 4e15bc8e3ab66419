"""format=flowed (RFC 3676): lines that a sender's program broke are joined again, quotes and signatures stay apart.

Promises the same words in linear time; only text that declares itself flowed should be given to it.
"""


def unflowed(text: str, *, delete_space: bool) -> str:
    """`text` with LF line ends. `delete_space` is the DelSp parameter of RFC 3676 §4.3 (texts without word spaces)."""
    out: list[str] = []
    paragraph: list[str] = []
    open_depth = -1  # of the paragraph that is still waiting for its end; -1: none

    def close() -> None:
        nonlocal open_depth
        if open_depth >= 0:
            prefix = ">" * open_depth + " " if open_depth else ""
            out.append(prefix + "".join(paragraph))
            paragraph.clear()
            open_depth = -1

    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")  # space-stuffing, §4.4
        if content == "-- ":  # §4.3: the signature separator is never flowed
            close()
            out.append((">" * depth + " " if depth else "") + content)
            continue
        if open_depth not in {-1, depth}:  # §4.5: a change of depth ends a paragraph, whatever its spaces say
            close()
        flows = content.endswith(" ")
        paragraph.append(content[:-1] if flows and delete_space else content)
        open_depth = depth
        if not flows:
            close()
    close()
    return "\n".join(out)
