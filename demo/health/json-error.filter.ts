import { Catch } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';

/** Answers machines: errors are JSON, whatever the client accepts. */
@Catch()
export class JsonErrorFilter extends BaseExceptionFilter {}
