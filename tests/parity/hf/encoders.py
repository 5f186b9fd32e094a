"""Small random encoders of texts: see families.py."""

from __future__ import annotations

from typing import Any

Row = tuple[str, dict[str, Any]]

BERT = {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 3, "intermediate_size": 40,
        "max_position_embeddings": 20, "pad_token_id": 0}  # fmt: skip
ROBERTA = {**BERT, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
DISTILBERT = {"vocab_size": 61, "dim": 24, "n_layers": 3, "n_heads": 4, "hidden_dim": 40,
              "max_position_embeddings": 20, "pad_token_id": 0}  # fmt: skip
DEBERTA = {**BERT, "type_vocab_size": 0, "position_biased_input": False,
           "relative_attention": True, "pos_att_type": ["p2c", "c2p"]}  # fmt: skip
DEBERTA3 = {**DEBERTA, "position_buckets": 4, "share_att_key": True,
            "norm_rel_ebd": "layer_norm"}  # fmt: skip
MODERNBERT = {**BERT, "num_hidden_layers": 5, "local_attention": 6, "bos_token_id": 1,
              "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}  # fmt: skip
ELECTRA = {**BERT, "embedding_size": 10}
ALBERT = {**ELECTRA, "num_hidden_layers": 4, "bos_token_id": 1, "eos_token_id": 2}

ROWS: dict[str, list[Row]] = {
    "bert": [
        ("BertModel", BERT),
        ("BertForPreTraining", BERT),
        ("BertForMaskedLM", {**BERT, "hidden_act": "gelu_new"}),
        ("BertForNextSentencePrediction", {**BERT, "type_vocab_size": 3}),
        ("BertForSequenceClassification", {**BERT, "num_labels": 5}),
        ("BertForTokenClassification", {**BERT, "hidden_act": "relu"}),
        ("BertForQuestionAnswering", {**BERT, "layer_norm_eps": 1e-3}),
        ("BertForMultipleChoice", BERT),
    ],
    "roberta": [
        ("RobertaModel", ROBERTA),
        ("RobertaForMaskedLM", {**ROBERTA, "hidden_act": "relu"}),
        ("RobertaForSequenceClassification", {**ROBERTA, "num_labels": 5}),
        ("RobertaForTokenClassification", {**ROBERTA, "pad_token_id": 4}),
        ("RobertaForQuestionAnswering", {**ROBERTA, "type_vocab_size": 1}),
        ("RobertaForMultipleChoice", {**ROBERTA, "layer_norm_eps": 1e-3}),
    ],
    "xlm-roberta": [
        ("XLMRobertaForMaskedLM", ROBERTA),
        ("XLMRobertaModel", {**ROBERTA, "type_vocab_size": 1}),
        ("XLMRobertaForSequenceClassification", ROBERTA),
    ],
    "camembert": [
        ("CamembertForMaskedLM", ROBERTA),
        ("CamembertForTokenClassification", {**ROBERTA, "num_labels": 3}),
        ("CamembertForQuestionAnswering", ROBERTA),
    ],
    "data2vec-text": [
        ("Data2VecTextModel", ROBERTA),
        ("Data2VecTextForMaskedLM", {**ROBERTA, "type_vocab_size": 1}),
        ("Data2VecTextForSequenceClassification", ROBERTA),
    ],
    "ernie": [
        ("ErnieModel", {**BERT, "use_task_id": True}),
        ("ErnieForPreTraining", BERT),
        ("ErnieForMaskedLM", {**BERT, "use_task_id": True, "task_type_vocab_size": 5}),
        ("ErnieForNextSentencePrediction", BERT),
        ("ErnieForSequenceClassification", {**BERT, "num_labels": 5}),
        ("ErnieForTokenClassification", {**BERT, "hidden_act": "relu"}),
        ("ErnieForQuestionAnswering", {**BERT, "layer_norm_eps": 1e-3}),
        ("ErnieForMultipleChoice", BERT),
    ],
    "megatron-bert": [
        ("MegatronBertForMaskedLM", BERT),
        ("MegatronBertModel", {**BERT, "hidden_act": "relu"}),
        ("MegatronBertForPreTraining", BERT),
        ("MegatronBertForNextSentencePrediction", {**BERT, "type_vocab_size": 3}),
        ("MegatronBertForSequenceClassification", {**BERT, "num_labels": 5}),
        ("MegatronBertForTokenClassification", {**BERT, "layer_norm_eps": 1e-3}),
        ("MegatronBertForQuestionAnswering", BERT),
        ("MegatronBertForMultipleChoice", BERT),
    ],
    "roberta-prelayernorm": [
        ("RobertaPreLayerNormForMaskedLM", ROBERTA),
        ("RobertaPreLayerNormModel", {**ROBERTA, "pad_token_id": 4}),
        ("RobertaPreLayerNormForSequenceClassification", {**ROBERTA, "num_labels": 5}),
        ("RobertaPreLayerNormForTokenClassification", ROBERTA),
        ("RobertaPreLayerNormForQuestionAnswering", {**ROBERTA, "hidden_act": "relu"}),
        ("RobertaPreLayerNormForMultipleChoice", ROBERTA),
    ],
    "xlm-roberta-xl": [
        ("XLMRobertaXLForMaskedLM", ROBERTA),
        ("XLMRobertaXLModel", {**ROBERTA, "type_vocab_size": 1}),
        ("XLMRobertaXLForSequenceClassification", {**ROBERTA, "num_labels": 5}),
        ("XLMRobertaXLForTokenClassification", {**ROBERTA, "layer_norm_eps": 1e-3}),
        ("XLMRobertaXLForQuestionAnswering", ROBERTA),
        ("XLMRobertaXLForMultipleChoice", ROBERTA),
    ],
    "nomic_bert": [
        ("NomicBertForMaskedLM", BERT),
        ("NomicBertModel", {**BERT, "head_dim": 6}),
        ("NomicBertModel", {**BERT, "rope_parameters": {
            "rope_type": "linear", "factor": 2.0, "rope_theta": 50.0}}),
        ("NomicBertForSequenceClassification", {**BERT, "num_labels": 5}),
        ("NomicBertForTokenClassification", {**BERT, "hidden_act": "gelu"}),
        ("NomicBertForMaskedLM", {**BERT, "type_vocab_size": 1, "layer_norm_eps": 1e-3}),
    ],
    "mpnet": [
        ("MPNetModel", ROBERTA),
        ("MPNetForMaskedLM", ROBERTA),
        ("MPNetForSequenceClassification", {**ROBERTA, "num_labels": 5}),
        ("MPNetForTokenClassification", {**ROBERTA, "hidden_act": "relu"}),
        ("MPNetForQuestionAnswering", {**ROBERTA, "layer_norm_eps": 1e-3}),
        ("MPNetForMultipleChoice", ROBERTA),
    ],
    "deberta-v2": [
        ("DebertaV2ForMaskedLM", DEBERTA3),
        ("DebertaV2Model", {**DEBERTA, "position_buckets": 4, "pos_att_type": "c2p"}),
        ("DebertaV2Model", {**BERT, "position_biased_input": True}),
        ("DebertaV2ForMaskedLM", {**DEBERTA, "legacy": False, "type_vocab_size": 2}),
        ("DebertaV2ForSequenceClassification", {**DEBERTA3, "num_labels": 5,
                                                "pooler_hidden_act": "tanh"}),
        ("DebertaV2ForTokenClassification", {**DEBERTA3, "conv_kernel_size": 3,
                                             "conv_act": "gelu"}),
        ("DebertaV2ForQuestionAnswering", {**DEBERTA, "max_relative_positions": 6,
                                           "pos_att_type": ["p2c"]}),
        ("DebertaV2ForMultipleChoice", {**DEBERTA3, "embedding_size": 10}),
    ],
    "modernbert": [
        ("ModernBertForMaskedLM", MODERNBERT),
        ("ModernBertModel", {**MODERNBERT, "global_attn_every_n_layers": 2,
                             "norm_bias": True, "attention_bias": True}),
        ("ModernBertForMaskedLM", {**MODERNBERT, "decoder_bias": False, "mlp_bias": True,
                                   "classifier_bias": True}),
        ("ModernBertForSequenceClassification", {**MODERNBERT, "num_labels": 5,
                                                 "classifier_pooling": "mean"}),
        ("ModernBertForTokenClassification", {**MODERNBERT, "hidden_activation": "silu",
                                              "classifier_activation": "relu"}),
        ("ModernBertForQuestionAnswering", {**MODERNBERT, "layer_types":
                                            ["full_attention"] * 5}),
        ("ModernBertForMultipleChoice", {**MODERNBERT, "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 2.0, "rope_theta": 300.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 20.0}}}),
        ("ModernBertForSequenceClassification", {**MODERNBERT, "num_hidden_layers": 1}),
    ],
    "distilbert": [
        ("DistilBertForMaskedLM", DISTILBERT),
        ("DistilBertModel", {**DISTILBERT, "sinusoidal_pos_embds": True}),
        ("DistilBertForSequenceClassification", {**DISTILBERT, "num_labels": 5}),
        ("DistilBertForTokenClassification", {**DISTILBERT, "activation": "relu"}),
        ("DistilBertForQuestionAnswering", {**DISTILBERT, "n_heads": 3}),
        ("DistilBertForMultipleChoice", DISTILBERT),
    ],
    "electra": [
        ("ElectraForPreTraining", ELECTRA),
        ("ElectraModel", {**ELECTRA, "embedding_size": 24}),
        ("ElectraForMaskedLM", {**ELECTRA, "hidden_act": "relu"}),
        ("ElectraForSequenceClassification", {**ELECTRA, "num_labels": 5}),
        ("ElectraForTokenClassification", ELECTRA),
        ("ElectraForQuestionAnswering", {**ELECTRA, "type_vocab_size": 3}),
        ("ElectraForMultipleChoice", ELECTRA),
        ("ElectraForMultipleChoice", {**ELECTRA, "summary_type": "last",
                                      "summary_activation": "tanh"}),
        ("ElectraForMultipleChoice", {**ELECTRA, "summary_type": "mean",
                                      "summary_use_proj": False}),
    ],
    "albert": [
        ("AlbertForMaskedLM", ALBERT),
        ("AlbertModel", {**ALBERT, "num_hidden_groups": 2}),
        ("AlbertForPreTraining", {**ALBERT, "num_labels": 3}),
        ("AlbertForSequenceClassification", {**ALBERT, "inner_group_num": 2}),
        ("AlbertForTokenClassification", {**ALBERT, "num_hidden_groups": 2,
                                          "inner_group_num": 3}),
        ("AlbertForQuestionAnswering", {**ALBERT, "hidden_act": "silu"}),
        ("AlbertForMultipleChoice", {**ALBERT, "embedding_size": 24}),
    ],
}  # fmt: skip
