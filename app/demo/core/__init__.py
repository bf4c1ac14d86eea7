"""The stand-in below its handlers: state, tokens, faults, sockets."""
