import { Controller, Get } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** What the app does on its own pool beside sessions; that it may fail is the app's. */
@Controller()
export class OwnStatementController {
  constructor(private readonly dataSource: DataSource) {}

  @Get('own')
  async own(): Promise<void> {
    await this.dataSource.query('SELECT 1').catch(() => undefined);
  }
}
