"""Signs and verifies models with the package model-signing, for tests to compare with.

    oms.py sign DIRECTORY SIGNATURE PRIVATE_KEY
    oms.py verify DIRECTORY SIGNATURE PUBLIC_KEY

Ends with 0 when it is signed or verified, with 3 when the signature does not hold, with 77 without
the package.
"""

import pathlib
import sys

# Or else blake3.py beside this file is taken for the package.
sys.path.pop(0)

try:
    from model_signing import signing, verifying
except ImportError:
    sys.exit(77)

what, model, signature, key = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
if what == "sign":
    signing.Config().use_elliptic_key_signer(private_key=key).sign(model, signature)
else:
    try:
        verifying.Config().use_elliptic_key_verifier(public_key=key).verify(model, signature)
    except ValueError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
