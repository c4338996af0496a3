import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { flag, list, nullable, object, text, type Schema } from '@valueverse/contracts';

const OK = 200;

/** What a route answers, for its OpenAPI document. */
export const Answers = (schema: Schema<unknown>, status: number = OK, description = ''): MethodDecorator => applyDecorators(ApiResponse({ status, description, schema: schema.json as object }));

/** What a list answers: a page of these. */
export const AnswersPage = (item: Schema<unknown>): MethodDecorator => Answers(object({ data: list(item), hasMore: flag(), nextCursor: nullable(text()) }));
