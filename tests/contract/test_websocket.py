"""The contract, held by OpenAI's Responses API over WebSockets: the same tests, of another dialect.

Left out is what is of HTTP alone, such as a redirect, and what a server that has a conversation in hand is not told.
"""

from __future__ import annotations

import pytest

from tests.contract.dialects import Dialect, Responses
from tests.contract.test_answers import (  # noqa: F401 - run here once more
    test_body_that_just_stops_is_no_whole_answer,
    test_connection_is_used_again,
    test_counts_that_no_model_has_are_clamped,
    test_empty_answer_is_an_answer,
    test_every_byte_may_come_alone,
    test_first_text_is_seen_before_the_second_is_sent,
    test_frame_may_be_cut_at_every_byte,
    test_garbage_between_the_frames_is_skipped,
    test_marker_of_the_end_may_be_missing,
    test_thinking_is_told_from_text,
    test_token_limit_is_an_end_of_its_own,
    test_tokens_of_an_answer_that_was_paused_are_about_as_many_as_came,
    test_whole_answer_arrives,
    test_whole_answer_may_come_at_once,
)
from tests.contract.test_attachments import (  # noqa: F401 - run here once more
    test_image_arrives_as_documented,
    test_image_without_a_word_is_a_question,
    test_images_arrive_in_their_order,
    test_large_image_arrives_as_documented,
    test_log_never_has_what_is_in_a_file,
    test_model_without_eyes_gets_a_line_for_each,
    test_pdf_arrives_as_documented_or_as_a_line,
    test_settings_close_the_eyes_of_a_known_model,
    test_settings_open_the_eyes_of_an_unknown_model,
)
from tests.contract.test_closing import (  # noqa: F401 - run here once more
    test_answer_that_is_left_makes_room_for_the_next,
    test_cancel_before_anything_was_sent_leaves_nothing,
    test_cancel_hangs_up_before_anything_else_happens,
    test_double_cancel_leaks_nothing,
    test_pause_hangs_up_as_well,
    test_what_was_received_and_not_read_is_not_lost,
)
from tests.contract.test_ends import (  # noqa: F401 - run here once more
    test_end_is_told_for_what_it_is,
)
from tests.contract.test_failures import (  # noqa: F401 - run here once more
    test_connection_cut_before_the_first_text_is_tried_again,
    test_connection_cut_in_the_middle_keeps_the_text,
    test_context_that_is_too_long_is_told_from_other_refusals,
    test_failure_before_the_first_text_is_tried_again,
    test_failure_in_the_middle_comes_after_the_text,
    test_forbidden_is_an_auth_error,
    test_keys_take_turns,
    test_last_key_that_is_refused_is_an_error,
    test_nobody_there_is_a_connect_error,
    test_nothing_but_garbage_is_a_protocol_error,
    test_overloaded_provider_is_asked_again,
    test_overloaded_provider_is_given_up_in_the_end,
    test_page_of_a_gateway_is_not_shown,
    test_rate_limit_is_waited_for_as_long_as_it_says,
    test_refusal_for_the_moment_has_its_kind,
    test_refused_key_is_an_auth_error,
    test_refused_key_rests,
    test_stall_before_the_first_text_times_out,
    test_stall_in_the_middle_times_out,
    test_unknown_model_brings_the_nearest_one,
    test_unknown_model_is_named,
)
from tests.contract.test_secrets import (  # noqa: F401 - run here once more
    test_key_across_a_cut_is_hidden,
    test_keys_that_are_repeated_beside_the_message_are_hidden,
)
from tests.contract.test_tries import (  # noqa: F401 - run here once more
    test_three_tries_are_three_requests,
)


@pytest.fixture
def dialect() -> Dialect:
    return Responses("websocket")


@pytest.fixture
def remote() -> Dialect:
    return Responses("websocket")
