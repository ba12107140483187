"""Banks in Qdrant: on its engine inside the process, in folders of this machine, or on a server.

What others use of it is shown by `freeda_svc.bank`, which imports it when it is first asked for.
"""
