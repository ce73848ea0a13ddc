import { describeSessionBackend } from '../../../src/testing/describe-session-backend.js';
import { backendIn } from './support/open-backend.js';
import { removeTempFolders, tempFolder } from './support/temp-folder.js';

afterEach(removeTempFolders);

describeSessionBackend('TypeOrmSessionBackend on a file beside the app', async () => {
  const folder = await tempFolder();
  return [backendIn(folder), backendIn(folder)];
});
