"""ONNX graphs of everything that scores at request time; one file a graph. Never imported when serving."""
