import { All, Controller, NotFoundException } from '@nestjs/common';

/** Every address that no other controller has: a route, so that its 404 knows the visitor, as all pages do. */
@Controller()
export class NowhereController {
  @All('*path')
  nowhere(): never {
    throw new NotFoundException();
  }
}
