"""Reads emails as Python does and says what it finds wrong with them."""
import email
import email.policy
import sys

for path in sys.argv[1:]:
    with open(path, "rb") as f:
        message = email.message_from_bytes(f.read(), policy=email.policy.default)
    parts = 0
    for part in message.walk():
        parts += 1
        for name, value in part.items():  # reading a header is what finds its faults
            for defect in value.defects:
                print(f"{path}: {name}: {defect!r}")
        if part.get_content_maintype() != "multipart":
            part.get_content()
        for defect in part.defects:
            print(f"{path}: {part.get_content_type()}: {defect!r}")
    if parts < 3 or not message.get_body(("html",)) or not message.get_body(("plain",)):
        print(f"{path}: {parts} parts")
