"""The service: answers that live in it, and can be read, paused, guided and gone on with from anywhere over HTTP.

`turns` has them, and knows nothing of HTTP; `routes` are what can be asked for, `guard` who may, `frames` how what is
told goes over the wire. What it is made with is not imported by anything else.
"""
