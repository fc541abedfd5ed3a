"""Run model versions: ONNX Runtime sessions, provider choice, warm-up, batching; nothing else touches them."""

from recommendations.inference.model_set import ModelSet
from recommendations.inference.queries import HIDDEN, RetrievalQuery, SourceResult
from recommendations.inference.runtime import check_runtime

__all__ = ["HIDDEN", "ModelSet", "RetrievalQuery", "SourceResult", "check_runtime"]
